/** A C that counts: an open ring, and the credit that goes into it. Also in `icon.svg` and `index.html`. */
export const Logo = () => (
  <svg className="logo" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
    <rect width="32" height="32" rx="9" className="logo-ground" />
    <path d="M22.2 10.2a8.5 8.5 0 1 0 0 11.6" className="logo-ring" />
    <circle cx="21" cy="16" r="2.6" className="logo-point" />
  </svg>
)

export const Logo = () => (
  <svg className="logo" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
    <rect width="32" height="32" rx="8" className="logo-ground" />
    <path d="M8 23v-7M16 23V9M24 23V13" className="logo-bars" />
  </svg>
)

// Before anything is drawn, so that a dark page is never white. The dashboard keeps the theme that was chosen.
const dark = matchMedia('(prefers-color-scheme: dark)')

const followTheme = () => {
  let chosen
  try {
    chosen = localStorage.getItem('theme')
  } catch {
    // The browser keeps nothing.
  }
  const isDark = chosen === 'dark' || (chosen !== 'light' && dark.matches)
  document.documentElement.classList.toggle('dark-mode', isDark)
}

followTheme()
dark.addEventListener('change', followTheme)

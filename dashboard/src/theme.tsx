import { useState } from 'react'
import { Field } from './field.tsx'

type Theme = 'system' | 'light' | 'dark'
const THEMES: readonly Theme[] = ['system', 'light', 'dark']
const NAMES: Readonly<Record<Theme, string>> = { system: 'System theme', light: 'Light theme', dark: 'Dark theme' }

/** Follows the system if the browser allows no storage. */
const savedTheme = (): Theme => {
  try {
    return THEMES.find((theme) => theme === localStorage.getItem('theme')) ?? 'system'
  } catch {
    return 'system'
  }
}

const saveTheme = (theme: Theme): void => {
  try {
    localStorage.setItem('theme', theme)
  } catch {
    // Without storage, the choice lasts until the page is closed.
  }
}

export const applyTheme = (theme = savedTheme()): void => {
  document.documentElement.dataset['theme'] = theme
}

export const ThemeSwitch = () => {
  const [theme, setTheme] = useState(savedTheme)
  return (
    <Field name="Theme" isInline isNameHidden>
      {(input) => (
        <select
          {...input}
          title="Theme"
          value={theme}
          onChange={({ target }) => {
            const chosen = target.value as Theme
            saveTheme(chosen)
            applyTheme(chosen)
            setTheme(chosen)
          }}
        >
          {THEMES.map((each) => (
            <option key={each} value={each}>
              {NAMES[each]}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}

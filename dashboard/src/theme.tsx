import { useState } from 'react'
import { Field } from './field.tsx'

type Theme = 'system' | 'light' | 'dark'
const THEMES: readonly Theme[] = ['system', 'light', 'dark']
const NAMES = { system: 'System', light: 'Light', dark: 'Dark' } as const satisfies Record<Theme, string>

/** Where nothing may be kept, the system decides. */
const kept = (): Theme => {
  try {
    return THEMES.find((theme) => theme === localStorage.getItem('theme')) ?? 'system'
  } catch {
    return 'system'
  }
}

const keep = (theme: Theme): void => {
  try {
    localStorage.setItem('theme', theme)
  } catch {
    // It holds for as long as the page is open.
  }
}

export const applyTheme = (theme = kept()): void => {
  document.documentElement.dataset['theme'] = theme
}

export const ThemeSwitch = () => {
  const [theme, setTheme] = useState(kept)
  return (
    <Field name="Theme" isInline isNameHidden>
      {(input) => (
        <select
          {...input}
          value={theme}
          onChange={({ target }) => {
            const chosen = target.value as Theme
            keep(chosen)
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

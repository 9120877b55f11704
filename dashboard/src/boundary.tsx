import { Component, type ReactNode } from 'react'

type Props = { readonly fallback: ReactNode; readonly children: ReactNode }

/** What is shown in place of what could not be drawn, or not be fetched to be drawn. */
export class Boundary extends Component<Props, { readonly hasFailed: boolean }> {
  override readonly state = { hasFailed: false }

  static getDerivedStateFromError = (): { readonly hasFailed: true } => ({ hasFailed: true })

  override render(): ReactNode {
    return this.state.hasFailed ? this.props.fallback : this.props.children
  }
}

/** The address says what is shown, so that nothing is lost by it. */
export const Reload = ({ children }: { readonly children: ReactNode }) => (
  <div role="alert" className="notice bad">
    <div>{children}</div>
    <button type="button" onClick={() => location.reload()}>
      Reload the page
    </button>
  </div>
)

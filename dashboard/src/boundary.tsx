import { Component, type ReactNode } from 'react'

type Props = { readonly fallback: ReactNode; readonly children: ReactNode }

/** Shows the fallback if its children fail to render, or if their code fails to load. */
export class Boundary extends Component<Props, { readonly hasFailed: boolean }> {
  override readonly state = { hasFailed: false }

  static getDerivedStateFromError = (): { readonly hasFailed: true } => ({ hasFailed: true })

  override render(): ReactNode {
    return this.state.hasFailed ? this.props.fallback : this.props.children
  }
}

/** Reloading loses nothing: the view is in the address. */
export const Reload = ({ children }: { readonly children: ReactNode }) => (
  <div role="alert" className="notice bad">
    <div>{children}</div>
    <button type="button" onClick={() => location.reload()}>
      Reload the page
    </button>
  </div>
)

/** In place of a part of the page that is loaded when it is needed. */
export const LoadFailed = () => (
  <Reload>
    <p>Could not load this part of the page. The service may have been updated since you opened it.</p>
  </Reload>
)

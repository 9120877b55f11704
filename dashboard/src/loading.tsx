import type { Area } from './areas.ts'

/** As large as the content that replaces it, so that nothing moves. */
export const Loading = ({ area }: { readonly area: Area | undefined }) => (
  <div className="content loading">
    <p role="status" className="visually-hidden">
      Loading…
    </p>
    {area === 'usage' && (
      <>
        <div className="figures" />
        <div className="card chart-card" />
      </>
    )}
    <div className={area === 'messages' ? 'card table-card' : 'card newest-card'} />
  </div>
)

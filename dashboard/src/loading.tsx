/** As large as the content that replaces it, so that nothing moves. */
export const Loading = () => (
  <div className="content loading">
    <p role="status" className="visually-hidden">
      Loading usage…
    </p>
    <div className="figures" />
    <div className="card chart-card" />
    <div className="card table-card" />
  </div>
)

/** Takes the place that the content will take, so that nothing moves when it comes. */
export const Loading = () => (
  <div className="content loading">
    <p role="status" className="visually-hidden">
      Loading the usage…
    </p>
    <div className="figures" />
    <div className="card chart-card" />
    <div className="card table-card" />
  </div>
)

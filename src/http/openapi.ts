/** What `/openapi.json` says beside the routes. */
import packageJson from '../../package.json' with { type: 'json' }

export const openApiInfo = {
  openapi: '3.1.0',
  info: {
    title: 'Copilot Credits',
    version: packageJson.version,
    description:
      'What every AI-copilot message cost, in credits, exactly, for any billing period, and why.\n\n' +
      'Every error is `application/problem+json` (RFC 9457). Every answer has an `X-Request-Id`.',
    license: { name: 'MIT', identifier: 'MIT' },
  },
  tags: [
    { name: 'Usage', description: 'What messages cost.' },
    { name: 'Messages', description: 'Reporting messages, and why one cost what it did.' },
    { name: 'Reports', description: 'What reports cost.' },
    { name: 'Organizations', description: 'Who is billed, and when.' },
    { name: 'Keys', description: 'Who may ask.' },
    { name: 'Session', description: 'Signing in to the dashboard.' },
    { name: 'Operating', description: 'For those who run the service.' },
  ],
}

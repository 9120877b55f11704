// Draws /openapi.json with Swagger UI.

const METHODS = ['get', 'put', 'post', 'delete', 'patch']

/** Requests of other methods that change nothing. */
const PURE = ['/v1/quotes', '/v1/simulations']

/** Swagger UI would fill in and send every example. An optional parameter shows its example beside it instead. */
const withoutFilledOptionals = (document) => {
  for (const path of Object.values(document.paths)) {
    for (const method of METHODS) {
      for (const parameter of path[method]?.parameters ?? []) if (!parameter.required) emptied(parameter)
    }
  }
  return document
}

const emptied = (parameter) => {
  const { example = parameter.schema?.examples?.[0] } = parameter
  delete parameter.example
  delete parameter.schema?.default
  delete parameter.schema?.examples
  if (example !== undefined) parameter.description = `${parameter.description ?? ''} Example: \`${example}\``
}

/** A request that changes something is sent only if the reader says so. */
const askFirst = (event) => {
  const operation = event.target.closest('.btn.execute')?.closest('.opblock')
  const [method, path] = ['method', 'path'].map(
    (part) => operation?.querySelector(`.opblock-summary-${part}`).textContent,
  )
  if (operation === undefined || operation === null || method === 'GET' || PURE.includes(path)) return
  if (!confirm(`${method} ${path} is not a rehearsal: it changes this service. Send it?`)) event.stopPropagation()
}

/** What Swagger UI leaves without a name, without a way to reach it by keyboard, or in the wrong place. */
const mend = (root) => {
  const all = (selector, change) => {
    for (const element of root.querySelectorAll(selector)) change(element)
  }
  all('tr[data-param-name] :is(input, select, textarea)', (input) => {
    if (!input.labels?.length) input.ariaLabel ??= input.closest('tr').dataset.paramName
  })
  all('.body-param__text', (input) => {
    input.ariaLabel ??= 'Request body'
  })
  all('select.content-type, .content-type-wrapper select', (select) => {
    select.ariaLabel ??= 'Content type'
  })
  all('h3.opblock-tag, .modal-ux h3', (heading) => heading.setAttribute('aria-level', '2'))
  all('.opblock h4, .modal-ux h4', (heading) => heading.setAttribute('aria-level', '3'))
  all('.opblock h5', (heading) => heading.setAttribute('aria-level', '4'))
  all('.close-modal', (button) => {
    button.ariaLabel = 'Close'
  })
  // It would hide what is written on the button.
  all('button.authorize[aria-label]', (button) => button.removeAttribute('aria-label'))
  // The button around it opens the operation.
  all('.opblock-summary a[href]', (link) => link.removeAttribute('href'))
  all('.information-container, .scheme-container', (section) => {
    section.role = 'region'
    section.ariaLabel = section.matches('.scheme-container') ? 'Authorization' : 'About'
  })
  all('table[role="region"]', (table) => table.removeAttribute('role'))
  all('pre', (code) => {
    code.tabIndex = 0
  })
}

addEventListener('DOMContentLoaded', async () => {
  const root = document.querySelector('#swagger-ui')
  const response = await fetch('/openapi.json')
  globalThis.SwaggerUIBundle({
    domNode: root,
    spec: withoutFilledOptionals(await response.json()),
    layout: 'BaseLayout',
    docExpansion: 'list',
    defaultModelsExpandDepth: -1,
    deepLinking: true,
    tryItOutEnabled: true,
    validatorUrl: null,
    // Of its themes, one whose colors have enough contrast.
    syntaxHighlight: { theme: 'tomorrow-night' },
  })
  // Before Swagger UI hears of the click.
  document.addEventListener('click', askFirst, true)
  new MutationObserver(() => mend(root)).observe(root, { childList: true, subtree: true })
})

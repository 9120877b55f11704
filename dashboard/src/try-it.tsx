import { useState } from 'react'
import { measure } from '#rating/measure.ts'
import { chargeOfText, standardCard, standardCardSource } from '#rating/standard-card.ts'
import { ChargeLines } from './charge-lines.tsx'
import { Field } from './field.tsx'
import { credits } from './format.ts'
import { Panel } from './panel.tsx'
import { changeView } from './view.ts'

/** Prices a text in the browser. The text is neither sent nor stored. */
export const TryIt = () => {
  const [text, setText] = useState('')
  const charge = chargeOfText(measure(text))
  return (
    <Panel title="Try it" close={() => changeView({ isTrying: false })}>
      <Field name="Message">
        {(input) => (
          <textarea
            {...input}
            rows={6}
            value={text}
            onChange={({ target }) => setText(target.value)}
            aria-describedby="try-hint"
          />
        )}
      </Field>
      <p id="try-hint" className="hint">
        Priced as you type, by the same code that prices every message, with rate card {standardCard.version}; even an
        empty message costs its base. One that asks for a report costs the report’s price instead. Nothing you type
        leaves this page.
      </p>
      <p className="big" role="status">
        {credits(charge.credits)} <span>credits</span>
      </p>
      <ChargeLines
        lines={charge.lines}
        total={charge.credits}
        rateCard={standardCard.version}
        caseName="text"
        card={standardCardSource}
      />
    </Panel>
  )
}

// A schema is both the check at run time and the type at compile time: for the request,
// which Fastify checks, and for each message, which a compiled TypeBox schema checks.
//
//   node examples/typebox.mts        (Node 22.18 or later runs TypeScript as it is)
//   npx wscat --connect 'ws://localhost:3000/sum/EUR?start=100'
//   > {"amount":25}
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyServerOptions } from 'fastify'
import websocket from 'fastify-wss'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'

const Params = Type.Object({ currency: Type.Union([Type.Literal('EUR'), Type.Literal('USD')]) })
const Query = Type.Object({ start: Type.Number({ default: 0 }) })

const Payment = Type.Object({ amount: Type.Number() })
const payments = Compile(Payment)

export async function build (options: FastifyServerOptions = {}) {
  const app = Fastify(options).withTypeProvider<TypeBoxTypeProvider>()
  await app.register(websocket)

  app.get('/sum/:currency', {
    websocket: true,
    schema: { params: Params, querystring: Query }
  }, (socket, request) => {
    const { currency } = request.params // 'EUR' | 'USD'
    let sum = request.query.start       // number

    socket.on('message', data => {
      const payment = parsePayment(data.toString())
      if (!payment) return socket.close(1008, 'Expected {"amount":<number>}')
      sum += payment.amount
      socket.send(`${sum.toFixed(2)} ${currency}`)
    })
  })

  return app
}

function parsePayment (text: string): Static<typeof Payment> | null {
  try {
    const value: unknown = JSON.parse(text)
    return payments.Check(value) ? value : null
  } catch {
    return null
  }
}

if (process.argv[1] === import.meta.filename) {
  const app = await build({ logger: true })
  await app.listen({ port: 3000 })
}

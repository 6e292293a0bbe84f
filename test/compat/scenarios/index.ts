import type { Scenario } from '../scenario'
import { closing } from './closing'
import { decorators } from './decorators'
import { errors } from './errors'
import { hooks } from './hooks'
import { inject } from './inject'
import { refusals } from './refusals'
import { registration } from './registration'
import { routes } from './routes'
import { ws } from './ws'

/** By the name of the file they are in. */
export const topics: Record<string, Scenario[]> = { registration, routes, hooks, errors, ws, closing, inject, decorators, refusals }

// The instrumentation: subscribes to exchanges, makes a span of each, and passes its context on to the application.
import { type TracingChannel, tracingChannel } from 'node:diagnostics_channel'
import type { ExchangeEvent } from '@fastcgi/client'
import {
  context,
  propagation,
  type Span,
  SpanKind,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import { endAttributes, spanName, startAttributes } from './attributes.ts'
import { recordAttempts, setOutcome } from './outcome.ts'
import { VERSION } from './version.ts'

/** Options of {@link FastCGIInstrumentation}. */
export interface FastCGIInstrumentationConfig {
  /** Whether spans are made from the beginning on; otherwise from `enable()` on. @default true */
  enabled?: boolean | undefined
  /** Whether exchanges without a span in the active context, such as health checks, get no span. @default false */
  requireParent?: boolean | undefined
  /** Returns true for exchanges that get no span. What it throws counts as false. @default none */
  ignore?: ((event: ExchangeEvent) => boolean) | undefined
}

const NAME = '@fastcgi/opentelemetry'

/** The part of a tracing channel's handlers that is used. */
interface Handlers {
  start(event: ExchangeEvent): void
  asyncStart(event: ExchangeEvent): void
}

/**
 * Makes a client span of each exchange with a FastCGI application, in this process and by whichever package. Its parent is the
 * active context; the context of the span is sent to the application by the global propagator, as params: `traceparent` as
 * HTTP_TRACEPARENT. It has the interface of `@opentelemetry/instrumentation`, so that `registerInstrumentations()` and `NodeSDK`
 * take it. It can be made before or after the modules that it observes are loaded.
 */
export class FastCGIInstrumentation {
  /** Name of the package, which is also that of its tracer. */
  readonly instrumentationName: string = NAME
  /** Version of the package, which is also that of its tracer. */
  readonly instrumentationVersion: string = VERSION
  #config: FastCGIInstrumentationConfig
  #provider: TracerProvider | undefined
  #tracer: Tracer | undefined
  #isEnabled = false
  readonly #spans = new WeakMap<ExchangeEvent, Span>()
  readonly #handlers: Handlers = {
    start: (event) => this.#start(event),
    asyncStart: (event) => this.#end(event),
  }

  constructor(config: FastCGIInstrumentationConfig = {}) {
    this.#config = config
    if (config.enabled !== false) this.enable()
  }

  /** Makes spans from now on. */
  enable(): void {
    if (this.#isEnabled) return
    this.#isEnabled = true
    exchanges.subscribe(this.#handlers as never)
  }

  /** Makes no more spans; those of exchanges that have not ended stay open. */
  disable(): void {
    if (!this.#isEnabled) return
    this.#isEnabled = false
    exchanges.unsubscribe(this.#handlers as never)
  }

  /** Has the spans made by another provider than the global one, which is the default. */
  setTracerProvider(provider: TracerProvider): void {
    this.#provider = provider
    this.#tracer = undefined
  }

  /** Does nothing: there are no metrics. */
  setMeterProvider(): void {}

  /** Replaces the options; `enabled` has no effect here. */
  setConfig(config: FastCGIInstrumentationConfig): void {
    this.#config = config
  }

  /** The options, with `enabled` as it is now. */
  getConfig(): FastCGIInstrumentationConfig & { enabled: boolean } {
    return { ...this.#config, enabled: this.#isEnabled }
  }

  #start(event: ExchangeEvent): void {
    const parent = context.active()
    if (this.#config.requireParent === true && trace.getSpan(parent) === undefined) return
    if (this.#ignores(event)) return
    this.#tracer ??= (this.#provider ?? trace.getTracerProvider()).getTracer(NAME, VERSION)
    const options = { kind: SpanKind.CLIENT, attributes: startAttributes(event) }
    const span = this.#tracer.startSpan(spanName(event), options, parent)
    this.#spans.set(event, span)
    const fields: Record<string, string> = {}
    propagation.inject(trace.setSpan(parent, span), fields)
    for (const [name, value] of Object.entries(fields))
      event.setParam(`HTTP_${name.toUpperCase().replaceAll('-', '_')}`, value)
  }

  #ignores(event: ExchangeEvent): boolean {
    try {
      return this.#config.ignore?.(event) === true
    } catch {
      return false
    }
  }

  #end(event: ExchangeEvent): void {
    const span = this.#spans.get(event)
    if (span === undefined) return
    this.#spans.delete(event)
    if (span.isRecording()) {
      span.setAttributes(endAttributes(event))
      recordAttempts(span, event)
      setOutcome(span, event)
    }
    span.end()
  }
}

const exchanges: TracingChannel<unknown, ExchangeEvent> = tracingChannel('fastcgi:exchange')

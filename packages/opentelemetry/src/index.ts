/**
 * OpenTelemetry spans of FastCGI requests, made of what `@fastcgi/client` publishes on its diagnostics channels.
 * @packageDocumentation
 */

export { FastCGIInstrumentation, type FastCGIInstrumentationConfig } from './instrumentation.ts'

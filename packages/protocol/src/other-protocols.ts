// Recognizes other protocols by the first bytes that a peer has sent.

/** Tests of at most eight bytes in latin1, as long as the header of a record. */
const SIGNS: ReadonlyArray<readonly [(text: string) => boolean, string]> = [
  [(text) => text.startsWith('HTTP/'), 'HTTP'],
  // An alert or a handshake message (RFC 8446 §5.1).
  [(text) => text.startsWith('\x15\x03') || text.startsWith('\x16\x03'), 'TLS'],
  // The SETTINGS frame that a server begins with (RFC 9113 §3.4).
  [(text) => text.startsWith('\0\0') && text[3] === '\x04', 'HTTP/2'],
  [(text) => /^(?:Status: |Content-|Location)/i.test(text), 'CGI or SCGI'],
  [(text) => text.startsWith('SSH-'), 'SSH'],
  [(text) => /^220[ -]/.test(text), 'SMTP or FTP'],
  [(text) => text.startsWith('-ERR'), 'Redis'],
  [(text) => /^<(?:!|\?|html)/i.test(text), 'HTML or XML without a protocol'],
]

/** The name of the protocol that bytes look like; undefined if none is recognized. */
export function otherProtocol(bytes: Buffer): string | undefined {
  const text = bytes.toString('latin1', 0, 8)
  return SIGNS.find(([isLike]) => isLike(text))?.[1]
}

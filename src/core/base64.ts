// Node's Buffer is several times faster; workerd has it only with nodejs_compat.
const NodeBuffer = globalThis.Buffer as typeof globalThis.Buffer | undefined

export function toBase64(bytes: Uint8Array): string {
  if (NodeBuffer !== undefined) {
    return NodeBuffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')
  }
  let text = ''
  // As many arguments as every engine takes.
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192))
  }
  return btoa(text)
}

/** `undefined` for what is not base64, with its padding: Buffer would skip it, and change the bytes. */
export function fromBase64(text: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (typeof text !== 'string' || text.length % 4 !== 0 || !/^[A-Za-z\d+/]*={0,2}$/.test(text)) {
    return undefined
  }
  if (NodeBuffer !== undefined) return new Uint8Array(NodeBuffer.from(text, 'base64'))
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
}

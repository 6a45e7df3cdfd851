import type { Arg } from './driver.ts'

/**
 * JSON has no bytes, and the Upstash REST protocol sends commands as JSON. So a command with bytes that
 * are not UTF-8 travels as a script: each argument's bytes as the characters U+0000 to U+00FF, which
 * Redis sees as UTF-8 and the script turns back into bytes before it runs the command. Any server of the
 * protocol can run it; dualport's gateway recognises it and runs the command itself.
 */
const script =
  "local a={} for i=1,#ARGV do a[i]=ARGV[i]:gsub('[\\194\\195][\\128-\\191]',function(c) " +
  'return string.char((c:byte(1)-192)*64+c:byte(2)-128) end) end return redis.pcall(unpack(a))'

/** Lua's `unpack` fails above this many arguments. */
export const maxSealedArgs = 7000

/** The command as an EVAL of text only. */
export function seal(args: readonly Arg[]): string[] {
  return [
    'EVAL',
    script,
    '0',
    ...args.map((arg) => latin1(typeof arg === 'string' ? utf8.encode(arg) : arg)),
  ]
}

/** The command inside, if this is one that `seal` wrote. */
export function unseal(args: readonly unknown[]): Arg[] | undefined {
  if (args[1] !== script || String(args[0]).toUpperCase() !== 'EVAL' || String(args[2]) !== '0') {
    return undefined
  }
  return args.slice(3).map((arg) => bytes(String(arg)))
}

const utf8 = new TextEncoder()

function latin1(arg: Exclude<Arg, string>): string {
  if (!(arg instanceof Uint8Array)) return String(arg)
  let text = ''
  for (let i = 0; i < arg.length; i += 8192) {
    text += String.fromCharCode(...arg.subarray(i, i + 8192))
  }
  return text
}

function bytes(text: string): Arg {
  const result = new Uint8Array(text.length)
  let ascii = true
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    ascii &&= unit < 0x80
    result[i] = unit
  }
  return ascii ? text : result
}

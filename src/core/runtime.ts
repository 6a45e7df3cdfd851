/**
 * True in Cloudflare's workerd, where nothing that is pending may be shared between requests: a timer
 * armed by a finished request never fires. Asked once; the runtime does not change.
 */
export const isWorkerd: boolean = globalThis.navigator?.userAgent === 'Cloudflare-Workers'

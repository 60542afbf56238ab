// Where a request comes from, as Cloudflare says: it sets the header itself, whatever the caller sent.

/** workerd on a machine of one's own, with nobody in front of it to say. */
const NOBODY_IN_FRONT = '127.0.0.1'

export const cloudflareAddress = (request: Request): string =>
  request.headers.get('cf-connecting-ip') ?? NOBODY_IN_FRONT

// The floor: what any Worker costs that passes a request on and does nothing else.
interface FloorEnv {
  readonly UPSTREAM: string
}

export default {
  fetch(request, env) {
    const url = new URL(request.url)
    return fetch(env.UPSTREAM + url.pathname + url.search, request)
  },
} satisfies ExportedHandler<FloorEnv>

// Outlives `npm run dev` by a moment: when its standard input closes, because the parent was killed, it ends the
// processes named on its command line. workerd does not notice that its parent is gone.
import { isAlive } from './processes.ts'

const pids = process.argv.slice(2).map(Number)
process.on('SIGINT', () => {})
process.stdin.resume()
process.stdin.on('close', () => {
  for (const pid of pids.filter(isAlive)) process.kill(pid, 'SIGKILL')
  process.exit(0)
})
process.stdout.write('{"ready":true}\n')

// One structured line for each thing worth keeping; the platform collects the console.
import type { LogLine } from '../ports.ts'

export const logToConsole = (line: LogLine): void => console.log(JSON.stringify(line))

// What a seeded fault is: a small change of one file, and the test that must fail because of it.

export interface Mutant {
  readonly fault: string
  readonly file: string
  /** Occurs exactly once in the file: a change of the source that moves it must move the fault as well. */
  readonly from: string
  readonly to: string
  /** The test's file and a part of its title. */
  readonly killedBy: readonly [file: string, title: string]
}

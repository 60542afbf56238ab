import { memoryKeyStore } from '../../src/adapters/memory/key-store.ts'
import { describeKeyStore, givenKeys } from './key-store-suite.ts'

describeKeyStore('memory', async () => memoryKeyStore(givenKeys))

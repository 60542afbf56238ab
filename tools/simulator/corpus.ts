// The sentences that the text generator learns its word order from. `TOPIC` stands for a word of the
// prompt. A few words are not ASCII, so that streams carry multi-byte characters as real ones do.
export const CORPUS: readonly string[] = [
  'The short answer is that TOPIC depends on what you want to measure first.',
  'A good way to think about TOPIC is to start from a small example and then widen it.',
  'In practice most teams keep TOPIC simple until there is a clear reason to change it.',
  'There are two common approaches to TOPIC and each of them has a cost.',
  'The first approach is easy to explain but it does not scale well when the load grows.',
  'The second approach needs more care at the start and pays for itself over time.',
  'If you look closely at TOPIC you will see that the naïve version works for small inputs.',
  'It helps to write down what you expect from TOPIC before you change anything.',
  'When the numbers do not match your expectation it is worth checking the units first.',
  'For example a value of 20 °C is not the same as 20 °F and the error is easy to miss.',
  'Most of the trouble with TOPIC comes from state that is shared between parts that should not know each other.',
  'Keep the parts apart and give each of them one clear job.',
  'You can test TOPIC in isolation and then check the whole with a single end to end run.',
  'The result is usually within 5 % of the estimate — close enough for a first decision.',
  'People often describe TOPIC as “obvious” and then disagree about the details.',
  'A small café with ten tables is a useful picture for how TOPIC behaves under load.',
  'When every table is taken the next guest has to wait or go elsewhere.',
  'The same holds for TOPIC when the queue is full and new work keeps coming in.',
  'That said there are cases where TOPIC is the wrong tool.',
  'If the data changes often then a cache in front of TOPIC will only hide the problem.',
  'Measure it before you optimise it and measure it again after every change.',
  'The literature is fairly clear on this point although the résumé of results varies by field.',
  'A reasonable next step is to list the open questions about TOPIC and answer the cheapest one.',
  'From there the rest of the plan tends to follow without much debate.',
  'To sum up TOPIC is a trade between effort now and effort later.',
  'You may want to compare both options with real data from the last month.',
  'It is fine to begin with rough figures and refine them as you learn more about TOPIC.',
  'The important thing is that the steps are small and can be undone.',
  'Each step should leave the system in a state that you understand.',
  'Historically TOPIC grew out of a much simpler idea and some of its quirks come from there.',
  'A reader who is new to TOPIC should begin with the definition and one worked example.',
  'Here Δ is the change over one interval and it should stay near zero when things are stable.',
  'In Zürich and in São Paulo the same pattern was observed at different scales.',
  'None of this is certain but it matches what we have seen so far.',
  'Let me know if you would like more detail on any part of TOPIC.',
]

export const FALLBACK_TOPICS: readonly string[] = [
  'this question',
  'the problem',
  'the design',
  'the process',
  'the data',
]

const COMMON =
  'about after again also because been before being between both cannot could does doing down each from further have having here just like more most much only other over same should some such than that their them then there these they this those through under until very want what when where which while will with would your please write explain tell give make using user message answer'

export const COMMON_WORDS: ReadonlySet<string> = new Set(COMMON.split(' '))

// What a process answers when it is asked of its memory, and of what its clients read.
import { machineNow } from '../base/runtime.ts'
import type { NativeRouter } from '../native/router.ts'
import { MOST_BYTES, MOST_READS } from './hot-reads.ts'
import { NativeMemory } from './memory.ts'
import type { News, Question, Questions, Recording } from './messages.ts'

/** What a process does from its beginning on, as those that were there before were asked to. */
export interface Habits {
  /** Whether it tells of what leaves its memory. */
  listens: boolean
  recording: Recording | undefined
}

type Answers = {
  [Q in keyof Questions]: (
    of: Questions[Q]['of'],
  ) => Questions[Q]['answer'] | Promise<Questions[Q]['answer']>
}

/** Answers for a router of this process. */
export function answersOf(
  router: NativeRouter,
  tell: (news: News) => void,
  { listens, recording }: Habits,
): (question: Question) => unknown {
  const memory = new NativeMemory(router)
  let leave: (() => void) | undefined
  const answers: Answers = {
    inspect: key => memory.inspect(key),
    invalidate: key => memory.invalidate(key),
    invalidatePrefix: prefix => memory.invalidatePrefix(prefix),
    async flush() {
      await memory.flush()
      return undefined
    },
    hottest: () => router.hottest(MOST_READS, MOST_BYTES),
    listen(on) {
      leave?.()
      leave = on ? memory.listen(news => tell({ kind: 'left', news })) : undefined
      return undefined
    },
    record(recording) {
      if (recording === undefined) router.endRecording()
      else router.record(recording.secret, machineNow() - recording.began)
      return undefined
    },
    recorded: () => router.recorded(),
  }
  if (listens) answers.listen(true)
  if (recording !== undefined) answers.record(recording)
  return ({ question, of }) => answers[question](of as never)
}

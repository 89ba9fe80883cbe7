/** A stage whose broker keeps what is durable on a log of paper. */
import { openStore } from '../../dist/storage/open-store.js'
import { PaperLog } from './paper-log.js'
import { Stage, type StageOptions } from './stage.js'

export class DurableStage extends Stage {
  readonly paper: PaperLog

  constructor(paper: PaperLog, options: StageOptions) {
    super(options)
    this.paper = paper
    paper.wake = () => this.clock.soon(this.turn.run)
  }

  static async open(paper = new PaperLog(), options: Omit<StageOptions, 'store'> = {}): Promise<DurableStage> {
    const told: { level: string; event: string }[] = []
    const store = await openStore(
      paper,
      (level, event, fields) => told.push({ level, event, ...fields }),
      () => 0,
    )
    const stage = new DurableStage(paper, { ...options, store })
    stage.log.push(...told)
    return stage
  }

  /** The next life, of what the log has: this one has been killed. */
  next(options: Omit<StageOptions, 'store'> = {}): Promise<DurableStage> {
    return DurableStage.open(PaperLog.upTo(this.paper, this.paper.blocks.length, this.paper.snapshot), options)
  }

  /** Everything that follows has happened, and what was asked of the log has been answered. */
  settle(): void {
    do this.clock.settle()
    while (this.paper.answer())
    this.turn.invariants()
  }
}

import type { SimulatedDisk } from './disk.js';
import type { SimulatedEngine } from './engine.js';
import type { SimulatedGateway } from './gateway.js';
import type { EndOfRun, Fault } from './plan.js';
import type { Timeline } from './timeline.js';

/** What faults strike, and how they end a run of the gateway. */
export interface Struck {
  engine: SimulatedEngine;
  disk: SimulatedDisk;
  timeline: Timeline;
  /** Undefined: it is not running. */
  gateway: () => SimulatedGateway | undefined;
  /** Ends the run of the gateway, if there is one; the next begins so many ms later. */
  end: (how: EndOfRun, ms: number) => void;
  /** The remote forgets writes. */
  forgets: () => void;
}

const USUAL_SLOWNESS = 2;
/** After a disk has failed, and somebody has looked at the log. */
export const RESTART_MS = 100;

/** Faults, and their end. */
export class Storm {
  /** Called after each group that is written, or each write that is executed. */
  private written: () => void = () => undefined;
  private executed: () => void = () => undefined;

  constructor(private readonly struck: Struck) {
    struck.disk.written = () => this.written();
  }

  hasExecuted(): void {
    this.executed();
  }

  strike(fault: Fault): void {
    const { engine, disk, timeline, gateway, end } = this.struck;
    switch (fault.kind) {
      case 'cut':
        gateway()?.link.cut();
        return;
      case 'freeze':
        if (engine.isDown) return;
        engine.freeze();
        timeline.after(fault.ms, () => engine.thaw());
        return;
      case 'restart-remote':
        this.restartRemote(fault.forgets, fault.ms);
        return;
      case 'missing':
        engine.isMissing = true;
        timeline.after(fault.ms, () => {
          engine.isMissing = false;
        });
        return;
      case 'slow-disk':
        disk.slowness = fault.slowness;
        timeline.after(fault.ms, () => {
          disk.slowness = USUAL_SLOWNESS;
        });
        return;
      case 'failing-disk':
        disk.failsNext = true;
        timeline.after(fault.ms, () => {
          disk.failsNext = false;
          if (gateway()?.isBroken) end('stopped', RESTART_MS);
        });
        return;
      case 'end':
        end(fault.how, fault.ms);
        return;
      case 'end-upon':
        this.endUpon(fault);
    }
  }

  /** What is frozen thaws in its own time; all else is well. */
  heal(): void {
    const { engine, disk, gateway, end } = this.struck;
    engine.manners.errors = 0;
    engine.manners.swallows = 0;
    engine.isMissing = false;
    engine.restart();
    disk.slowness = USUAL_SLOWNESS;
    disk.failsNext = false;
    this.executed = () => undefined;
    this.written = () => undefined;
    if (gateway()?.isBroken) end('stopped', RESTART_MS);
  }

  private restartRemote(forgets: number, ms: number): void {
    const { engine, timeline, gateway } = this.struck;
    if (engine.isDown) return;
    const count = engine.manners.knowsReceipts ? 0 : forgets; // a gateway forgets nothing
    if (count > 0) this.struck.forgets();
    engine.stop(count);
    gateway()?.link.cut();
    timeline.after(ms, () => engine.restart());
  }

  private endUpon({ upon, count, how, ms }: Fault & { kind: 'end-upon' }): void {
    const { timeline, end } = this.struck;
    let left = count;
    const countDown = () => {
      left -= 1;
      if (left === 0) timeline.after(0, () => end(how, ms));
    };
    if (upon === 'disk') this.written = countDown;
    else this.executed = countDown;
  }
}

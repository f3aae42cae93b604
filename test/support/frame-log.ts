import { EventEmitter } from 'node:events';

/** A frame as it stands on the wire, so that a test sees what was really sent. */
export interface Frame {
  type: string;
  [member: string]: unknown;
}

/** Every frame that one side received, in order, and the wait for one that is still to come. */
export class FrameLog {
  readonly frames: Frame[] = [];
  private readonly arrivals = new EventEmitter<{ frame: [Frame] }>().setMaxListeners(0);

  /** The first frame that fits, of those that came or the next that comes. */
  received(fits: (frame: Frame) => boolean): Promise<Frame> {
    const known = this.frames.find(fits);
    return known ? Promise.resolve(known) : this.next(fits);
  }

  /** The next frame that fits, whatever came before. */
  next(fits: (frame: Frame) => boolean): Promise<Frame> {
    return new Promise((resolve) => {
      const look = (frame: Frame) => {
        if (!fits(frame)) return;
        this.arrivals.off('frame', look);
        resolve(frame);
      };
      this.arrivals.on('frame', look);
    });
  }

  protected arrived(frame: Frame): void {
    this.frames.push(frame);
    this.arrivals.emit('frame', frame);
  }
}

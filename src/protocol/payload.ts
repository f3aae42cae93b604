import { isObject, type Json, parseJson, printJson } from './json.js';

/**
 * A JSON value on its way through: its text as received, its parsed form, or both, each made at most once.
 * Who only forwards never prints; who only prints never parses.
 */
export class Payload {
  private constructor(
    private printed: string | undefined,
    private parsed: Json | undefined,
  ) {}

  /** From a value; printed when somebody needs the text. */
  static of(value: Json): Payload {
    return new Payload(undefined, value);
  }

  /** From a text known to be JSON; `value`, when at hand, saves parsing it again. */
  static fromText(text: string, value?: Json): Payload {
    return new Payload(text, value);
  }

  get value(): Json {
    if (this.parsed === undefined) this.parsed = parseJson(this.printed as string); // null is a value
    return this.parsed;
  }

  get text(): string {
    this.printed ??= printJson(this.parsed as Json);
    return this.printed;
  }

  /** This payload with one member set; one that is no object comes back as it is. */
  withMember(name: string, value: Json): Payload {
    if (!isObject(this.value)) return this;
    // The last of two equal members wins in every reader but a strict one, so only an absent name is spliced.
    if (this.printed === undefined || Object.hasOwn(this.value, name)) {
      return Payload.of({ ...this.value, [name]: value });
    }
    const body = this.printed.slice(0, this.printed.lastIndexOf('}'));
    const comma = Object.keys(this.value).length > 0 ? ',' : '';
    return new Payload(`${body}${comma}${JSON.stringify(name)}:${printJson(value)}}`, undefined);
  }
}

import { describe } from 'vitest';
import { EXAMPLES } from './examples/all.js';
import { gatewayBeforeHub } from './site.js';

describe.for(Object.entries(EXAMPLES))('example: %s', ([, example]) => example(gatewayBeforeHub));

import { describe } from 'vitest';
import { startHub } from '../support/hub.js';
import { federation } from './examples/federate.js';

describe('two sites, a gateway each, and one hub', () => federation(startHub));

import type { Setting } from '../site.js';
import { analyticsExample } from './analytics.js';
import { emailChangeExample } from './email-change.js';
import { keyMigrationExample } from './key-migration.js';
import { loginCounterExample } from './login-counter.js';
import { ordersExample } from './orders.js';
import { sessionsExample } from './sessions.js';
import { sharedConfigExample } from './shared-config.js';
import { userProfileExample } from './user-profile.js';

/** The examples of the iii documentation, as suites that run in any setting. */
export const EXAMPLES: Record<string, (setting: Setting) => void> = {
  'a user profile and its mirror': userProfileExample,
  'an e-mail address that changed': emailChangeExample,
  'a login counter': loginCounterExample,
  'orders in one scope': ordersExample,
  'configuration of two workers': sharedConfigExample,
  'sessions and a cache': sessionsExample,
  'keys of another store': keyMigrationExample,
  'analytics and feature counters': analyticsExample,
};

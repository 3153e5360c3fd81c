import type { DeliveryDetail } from '../delivery';
import pausedJson from './paused.json';
import throttledJson from './throttled.json';

/** Answers of GET /api/v1/deliveries/{id}, for the tests. */
export const throttled = throttledJson as DeliveryDetail;
export const paused = pausedJson as DeliveryDetail;

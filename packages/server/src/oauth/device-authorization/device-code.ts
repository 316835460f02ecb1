export const deviceCodePurpose = 'device-code';

/** What a person allowed a device is remembered for no other way to the app. */
export const deviceConsentHost = 'device';

/** What a device code stands for (RFC 8628, 3.2), stored beside its hash. */
export type DeviceCode = { requestId: string };

export const deviceCodePurpose = 'device-code';

/** What a device code stands for (RFC 8628, 3.2), stored beside its hash. */
export type DeviceCode = { requestId: string };

// Asks the DNS for the text records of a name. Owns whom it asks, how long, and how often; not what a record means.
export { createTextLookup, type TextLookup, type TextRecords } from './text-lookup.ts';

/*
 * Regular expressions for the `format` keyword of JSON Schema. They match whole strings. Where a
 * standard allows more than is in use, they match the part in use.
 */
const YEAR = "[0-9]{4}";
/** Without 29 February, which is invalid in most years. */
const DATE =
  `${YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|` +
  `(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))`;
const TIME =
  "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?" +
  "(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])";
const LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?";
const HOST = `${LABEL}(?:\\.${LABEL}){0,3}`;
const BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
const HEX = "[0-9a-fA-F]";
const ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}";
const COUNT = "[0-9]{1,6}";
const DURATION_TIME = `T(?:${COUNT}H(?:${COUNT}M(?:${COUNT}S)?)?|${COUNT}M(?:${COUNT}S)?|${COUNT}S)`;
const DURATION_DATE = `${COUNT}(?:D|M(?:${COUNT}D)?|Y(?:${COUNT}M(?:${COUNT}D)?)?)`;
const URI_CHARACTER = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})";

const BASE64 = "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?";

/** @param version the first digit of the third group */
function uuid(version: string): string {
  const variant = version === HEX ? HEX : "[89abAB]";
  return `${HEX}{8}-${HEX}{4}-${version}${HEX}{3}-${variant}${HEX}{3}-${HEX}{12}`;
}

export const STRING_FORMATS: Readonly<Record<string, string>> = {
  date: DATE,
  time: TIME,
  "date-time": `${DATE}T${TIME}`,
  duration: `P(?:${DURATION_DATE}(?:${DURATION_TIME})?|${DURATION_TIME}|${COUNT}W)`,
  email: `${ATOM}(?:\\.${ATOM}){0,2}@${LABEL}(?:\\.${LABEL}){1,3}`,
  hostname: HOST,
  ipv4: `${BYTE}(?:\\.${BYTE}){3}`,
  ipv6: `(?:${HEX}{1,4}:){7}${HEX}{1,4}|::(?:${HEX}{1,4}:){0,5}${HEX}{1,4}|(?:${HEX}{1,4}:){1,6}:`,
  uuid: uuid(HEX),
  uuid1: uuid("1"),
  uuid3: uuid("3"),
  uuid4: uuid("4"),
  uuid5: uuid("5"),
  byte: BASE64,
  base64: BASE64,
  uri:
    `[A-Za-z][A-Za-z0-9+.-]{0,15}://${HOST}(?::[0-9]{1,5})?(?:/${URI_CHARACTER}*)*` +
    `(?:\\?(?:${URI_CHARACTER}|[/?])*)?(?:#(?:${URI_CHARACTER}|[/?])*)?`,
};

/** The other formats that JSON Schema defines. */
export const OTHER_FORMATS: readonly string[] = [
  "idn-email",
  "idn-hostname",
  "uri-reference",
  "iri",
  "iri-reference",
  "uri-template",
  "json-pointer",
  "relative-json-pointer",
  "regex",
];

/** Formats that every string has: they say how a form shows it, or what it is used for. */
export const ANY_STRING_FORMATS: readonly string[] = [
  "binary",
  "password",
  "path",
  "file-path",
  "directory-path",
  "text",
  "textarea",
  "markdown",
  "html",
];

/** A country where one phone has two numbers in E.164, and WhatsApp may know it by either. */
interface TwoForms {
  country: string;
  /** Digits without the plus. `$<head>` and `$<rest>` are what both forms share. */
  longer: RegExp;
  shorter: RegExp;
  /** What the longer form has between them. */
  infix: string;
  /** An example of both forms, for people. */
  example: string;
}

/**
 * The infix is not part of what is dialled from abroad any more (Mexico, 2019), was added to numbers that existed
 * (Brazil, 2012-2016), or marks a mobile phone (Argentina). WhatsApp goes on to use what an account was made with. In
 * Brazil only numbers that begin with 6 to 9 had a form without it: the others belong to somebody else's landline.
 */
const COUNTRIES: readonly TwoForms[] = [
  {
    country: "Brazil",
    longer: /^(?<head>55[1-9]\d)9(?<rest>[6-9]\d{7})$/,
    shorter: /^(?<head>55[1-9]\d)(?<rest>[6-9]\d{7})$/,
    infix: "9",
    example: "+55 31 9 8765 4321 and +55 31 8765 4321",
  },
  {
    country: "Mexico",
    longer: /^(?<head>52)1(?<rest>[2-9]\d{9})$/,
    shorter: /^(?<head>52)(?<rest>[2-9]\d{9})$/,
    infix: "1",
    example: "+52 1 55 1234 5678 and +52 55 1234 5678",
  },
  {
    country: "Argentina",
    longer: /^(?<head>54)9(?<rest>[1-3]\d{9})$/,
    shorter: /^(?<head>54)(?<rest>[1-3]\d{9})$/,
    infix: "9",
    example: "+54 9 11 2345 6789 and +54 11 2345 6789",
  },
];

/** The other number (E.164) by which WhatsApp may know the same phone, and where that is so; undefined where there is none. */
export function otherForm(e164: string): { number: string; country: string; example: string } | undefined {
  const digits = e164.slice(1);
  for (const { country, longer, shorter, infix, example } of COUNTRIES) {
    const isLonger = longer.test(digits);
    const { head, rest } = (isLonger ? longer : shorter).exec(digits)?.groups ?? {};
    if (head !== undefined && rest !== undefined)
      return { number: `+${head}${isLonger ? "" : infix}${rest}`, country, example };
  }
  return undefined;
}

import { expect, it } from "vitest";
import { otherForm } from "./number-forms.ts";

it.each([
  ["Brazil", "+5511987654321", "+551187654321"],
  ["Brazil", "+5531966654321", "+553166654321"],
  ["Mexico", "+5215512345678", "+525512345678"],
  ["Argentina", "+5491123456789", "+541123456789"],
  ["Argentina", "+5492914123456", "+542914123456"],
])("knows both forms of a number of %s", (country, longer, shorter) => {
  expect(otherForm(longer)).toMatchObject({ country, number: shorter });
  expect(otherForm(shorter)).toMatchObject({ country, number: longer });
});

it.each([
  ["a landline in Brazil", "+551132654321"],
  ["a number in Brazil that was made with nine digits", "+5511932654321"],
  ["a number in Germany", "+4915112345678"],
  ["a number in the United States", "+15550001001"],
  ["too short a number in Mexico", "+52155123456"],
  ["nothing", ""],
])("knows no other form of %s", (_what, number) => {
  expect(otherForm(number)).toBeUndefined();
});

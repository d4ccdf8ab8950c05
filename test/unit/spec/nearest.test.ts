import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { editDistance, nearestOf } from "../../../src/spec/nearest.ts";

describe("the edit distance", () => {
  test.each([
    ["adam", "adam", 0],
    ["adm", "adam", 1],
    ["admw", "adamw", 1],
    ["wdith", "width", 1],
    ["kitten", "sitting", 3],
    ["", "abc", 3],
  ])("of %s and %s is %i", (from, to, distance) => {
    expect(editDistance(from, to)).toBe(distance);
  });

  test("is symmetric, and 0 for equal words only", () => {
    const word = fc.string({ maxLength: 8 });
    fc.assert(
      fc.property(word, word, (from, to) => {
        expect(editDistance(from, to)).toBe(editDistance(to, from));
        expect(editDistance(from, to) === 0).toBe(from === to);
      }),
    );
  });

  test("is at most the number of single edits that were made", () => {
    const edits = fc.array(fc.record({ at: fc.nat(20), letter: fc.constantFrom("a", "b", "") }), { maxLength: 3 });
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z]{3,8}$/u), edits, (word, list) => {
        let edited = word;
        for (const { at, letter } of list) edited = edited.slice(0, at) + letter + edited.slice(at + 1);
        expect(editDistance(word, edited)).toBeLessThanOrEqual(list.length);
      }),
    );
  });
});

describe("the nearest spelling", () => {
  test("is the candidate with the fewest edits, whatever the case", () => {
    expect(nearestOf("Adm", ["sgd", "adam", "adamw"])).toBe("adam");
    expect(nearestOf("polynomal", ["mlp", "polynomial"])).toBe("polynomial");
  });

  test("is what the word begins, when nothing else begins so", () => {
    expect(nearestOf("poly", ["mlp", "polynomial"])).toBe("polynomial");
    expect(nearestOf("deg", ["degree", "degrade"])).toBeUndefined();
  });

  test("is none when no candidate is near", () => {
    expect(nearestOf("transformer", ["mlp", "cnn"])).toBeUndefined();
    expect(nearestOf("lr", ["learningRate"])).toBeUndefined();
    expect(nearestOf("x".repeat(10_000), ["mlp"])).toBeUndefined();
  });
});

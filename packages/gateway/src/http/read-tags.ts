import { fieldRefusal } from "./field-refusal.ts";

/**
 * Adds the tags of one x-farebox-tag header: "key=value", several between commas, the header repeatable. At most 16 in all,
 * each at most 128 printable ASCII characters. Throws INVALID_ARGUMENT naming the header.
 */
export function readTags(before: readonly string[], value: string): readonly string[] {
  const tags = [...before];
  for (const part of value.split(",")) {
    const tag = part.trim();
    if (!tagPattern.test(tag)) {
      throw fieldRefusal("x-farebox-tag", "must be key=value in at most 128 printable characters");
    }
    tags.push(tag);
  }
  if (tags.length > tagsMax)
    throw fieldRefusal("x-farebox-tag", `must give at most ${tagsMax} tags`);
  return tags;
}

const tagsMax = 16;
const tagPattern = /^(?=.{3,128}$)[\x21-\x3c\x3e-\x7e][\x20-\x3c\x3e-\x7e]*=[\x20-\x7e]+$/;

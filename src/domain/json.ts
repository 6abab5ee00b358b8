/** Undefined for what is no JSON, which every schema refuses, without repeating the text. */
export const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    // HTML from a proxy, a body that was cut off, or a slip of the pen: to whoever asks all of it is no answer.
    return undefined;
  }
};

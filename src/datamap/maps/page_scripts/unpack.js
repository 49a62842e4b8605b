// Columns as a page of ours carries them: bytes in planes, deflated, as base64 (datamap.pages).

/** Bytes of base64. */
function fromBase64(text) {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

/** Inflated bytes of base64. */
export async function inflate(text) {
  const stream = new Blob([fromBase64(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** A column as an array of `Type`: the first bytes of all values come first, then the second ones … */
export async function unpack(text, Type) {
  const planes = await inflate(text), width = Type.BYTES_PER_ELEMENT, count = planes.length / width;
  if (width === 1) return new Type(planes.buffer);
  const bytes = new Uint8Array(planes.length);
  for (let k = 0; k < width; k++) for (let i = 0; i < count; i++) bytes[width * i + k] = planes[k * count + i];
  return new Type(bytes.buffer);
}

/** What was packed as JSON. */
export const unpackJson = async (text) => JSON.parse(new TextDecoder().decode(await inflate(text)));

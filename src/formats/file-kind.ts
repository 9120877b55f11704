/** Recognizes files that are not text by their first bytes, so that an error can say what a file is. */

/** What the file is, such as "a ZIP archive"; undefined if it may be text. */
export const kindOfFile = (head: Uint8Array): string | undefined => {
  const latin1 = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('latin1')
  if (latin1.startsWith('PK\u0003\u0004')) return kindOfZip(latin1)
  const found = BEGINNINGS.find(([beginning]) => latin1.startsWith(beginning))
  if (found !== undefined) return found[1]
  if (latin1.slice(257, 262) === 'ustar') return 'a tar archive'
  if (latin1.slice(4, 8) === 'ftyp') return 'a video or an image'
  const markup = /^(?:\u00ef\u00bb\u00bf)?\s*<(!doctype html|html|\?xml|[a-z]+[\s>])/i.exec(latin1)?.[1]
  if (markup === undefined) return undefined
  return /html/i.test(markup) ? 'a web page (HTML)' : 'XML'
}

const kindOfZip = (latin1: string): string => {
  if (/\bxl\//.test(latin1)) return 'an Excel workbook (.xlsx)'
  if (latin1.includes('application/vnd.oasis.opendocument')) return 'an OpenDocument file (LibreOffice)'
  if (/Index\/\w+\.iwa/.test(latin1)) return 'a Numbers or Pages document'
  return /\bword\//.test(latin1) ? 'a Word document' : 'a ZIP archive, or an office document'
}

/** The first match wins, so a longer signature must come before its own prefix. */
const BEGINNINGS: readonly (readonly [string, string])[] = [
  ['PK\u0005\u0006', 'an empty ZIP archive'],
  ['PAR1', 'a Parquet file'],
  ['ARROW1', 'an Arrow file'],
  ['Obj\u0001', 'an Avro file'],
  ['ORC', 'an ORC file'],
  ['%PDF', 'a PDF'],
  ['\u0089PNG', 'an image (PNG)'],
  ['\u00ff\u00d8\u00ff', 'an image (JPEG)'],
  ['GIF8', 'an image (GIF)'],
  ['RIFF', 'an image, sound or video'],
  ['BZh', 'compressed with bzip2'],
  ['\u00fd7zXZ', 'compressed with xz'],
  ['\u0028\u00b5\u002f\u00fd', 'compressed with Zstandard'],
  ['\u0004\u0022\u004d\u0018', 'compressed with LZ4'],
  ['\u001f\u008b', 'compressed twice with gzip'],
  ['\u001f\u009d', 'compressed with compress'],
  ['7z\u00bc\u00af', 'a 7z archive'],
  ['Rar!', 'a RAR archive'],
  ['SQLite format 3\u0000', 'a SQLite database'],
  ['\u00d0\u00cf\u0011\u00e0', 'an old Excel workbook (.xls) or another old Office document'],
  ['{\\rtf', 'a rich text document (RTF)'],
  ['bplist0', 'a property list'],
  ['\u0080\u0004\u0095', 'a Python pickle'],
  ['\u0080\u0005\u0095', 'a Python pickle'],
  ['\u007fELF', 'a program'],
  ['MZ\u0090', 'a program'],
]

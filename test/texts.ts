/** Texts for property tests, which mix every script and special case that the rules mention. */
import fc from 'fast-check'

const charactersOf = (characters: string) => fc.constantFrom(...characters.split(/(?:)/u))

const alphabets = [
  charactersOf('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'),
  charactersOf('aeiouAEIOU'),
  charactersOf('0123456789'),
  charactersOf(' \t\n\r\u00a0\u2003.,;:!?"()[]{}'),
  charactersOf("'-’‐–_"),
  charactersOf('éèêëàâîïôûùçÉÈÊËÀÂÎÏÔÛÙÇßøåæœñü'),
  fc.constantFrom('e\u0301', 'E\u0301', 'a\u0308', 'n\u0303', '\u0301', '\u0345', 'o\u0323\u0302'),
  charactersOf('абвгдежзийклмнопрстуфхцчшщъыьэюяАБВГДЕЖЗ'),
  charactersOf('αβγδεζηθικλμνξοπρσςτυφχψωΑΒΓΔΣΩάέήίόύώ'),
  fc.constantFrom('न', 'म', 'स्', 'ते', 'ि', 'ा', '्', 'क्ष', '१', '२'),
  charactersOf('租约条款是什么中文，。！？〇一二三'),
  charactersOf('가나다라마바사아자차카타파하'),
  charactersOf('أبتثجحخدذرزسشصضטאבגדה'),
  fc.constantFrom('İ', 'ı', 'I', 'ſ', 'K', 'Å', 'ẞ', 'ᾈ', 'Ǆ', 'ǅ', 'Ⅷ', 'ⅷ', 'Ⓐ', '²', '½', '𐐀', '𐐨', '𝐀', '𞤀', '𞤢'),
  fc.constantFrom('👍', '👍🏽', '👩‍👩‍👧‍👦', '🇩🇪', '❤️', '🏳️‍🌈', '☎', '\u200d', '\ufe0f'),
  fc.constantFrom('\ud800', '\udbff', '\udc00', '\udfff', '\ud83d', '\ude00'),
  fc.constantFrom('\u0000', '\u0007', '\u001b', '\u007f', '\u0085', '\u2028', '\u2029', '\ufeff', '\ufffd', '\uffff'),
] as const

/** Any text over these alphabets. */
export const anyText = (maxLength = 160): fc.Arbitrary<string> =>
  fc.array(fc.oneof(...alphabets), { maxLength }).map((parts) => parts.join(''))

/** Words that repeat, so that both outcomes of the uniqueness rule are common. */
export const wordyText = (): fc.Arbitrary<string> =>
  fc
    .array(
      fc.tuple(
        fc.oneof(
          fc.constantFrom('a', 'A', 'the', 'lease', 'Lease', "don't", '-', "'", "'s", 'tenant-at-will', 'Résumé'),
          fc.constantFrom('Re\u0301sume\u0301', 'неустойка', '租约', 'responsibilities', 'responsibilitjes'),
          fc.array(fc.oneof(...alphabets), { minLength: 1, maxLength: 12 }).map((parts) => parts.join('')),
        ),
        fc.constantFrom(' ', '  ', ', ', '. ', '1', '\n'),
      ),
      { maxLength: 40 },
    )
    .map((parts) => parts.flat().join(''))

/** Palindromes and near-palindromes, with characters in between that the rule ignores. */
export const mirroredText = (): fc.Arbitrary<string> =>
  fc
    .tuple(fc.array(fc.oneof(...alphabets), { maxLength: 20 }), fc.array(fc.oneof(...alphabets), { maxLength: 2 }))
    .map(([half, middle]) => [...half, ...middle, ...half.toReversed()].join(''))

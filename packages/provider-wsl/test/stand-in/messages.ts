/** Sentences of wsl.exe 2.x, as its resource files have them (microsoft/WSL, localization/strings, August 2026). */

export type Language = 'en' | 'de'

const table = {
  notFound: [
    'There is no distribution with the supplied name.',
    'Es ist keine Distribution mit dem angegebenen Namen vorhanden.',
  ],
  none: [
    "Windows Subsystem for Linux has no installed distributions.\nYou can resolve this by installing a distribution with the instructions below:\n\nUse 'wsl.exe --list --online' to list available distributions\nand 'wsl.exe --install <Distro>' to install.",
    'Windows-Subsystem für Linux verfügt über keine installierten Distributionen.\nSie können dies beheben, indem Sie eine Distribution mit den folgenden Anweisungen installieren:\n\n"wsl.exe --list --online\' zum Auflisten verfügbarer Distributionen verwenden\nund "wsl.exe --install <Distro>".',
  ],
  noneRunning: ['There are no running distributions.', 'Es werden keine Distributionen ausgeführt.'],
  importing: [
    'Import in progress, this may take a few minutes.',
    'Import wird ausgeführt. Dieser Vorgang kann einige Minuten dauern.',
  ],
  exporting: [
    'Export in progress, this may take a few minutes.',
    'Export wird ausgeführt. Dieser Vorgang kann einige Minuten dauern.',
  ],
  done: ['The operation completed successfully. ', 'Der Vorgang wurde erfolgreich beendet. '],
  defaultVersion: ['Default Version: 2', 'Standardversion: 2'],
  unknownOption: [
    "Invalid command line argument: {0}\nPlease use 'wsl.exe --help' to get a list of supported arguments.",
    'Ungültiges Befehlszeilenargument: {0}\nVerwenden Sie "wsl.exe" --help\', um eine Liste der unterstützten Argumente abzurufen.',
  ],
  inboxUnknownOption: [
    'Invalid command line option: {0}\nCopyright (c) Microsoft Corporation. All rights reserved.\n\nUsage: wsl.exe [Argument] [Options...] [CommandLine]',
    'Ungültige Befehlszeilenoption: {0}\nCopyright (c) Microsoft Corporation. Alle Rechte vorbehalten.\n\nSyntax: wsl.exe [Argument] [Optionen...] [Befehlszeile]',
  ],
  versions: [
    'WSL version: {0}\nKernel version: 6.6.87.2-1\nWSLg version: 1.0.66\nMSRDC version: 1.2.6074\nDirect3D version: 1.611.1-81528511\nDXCore version: 10.0.26100.1-240331-1435.ge-release\nWindows version: 10.0.26100.4652',
    'WSL-Version: {0}\nKernelversion: 6.6.87.2-1\nWSLg-Version: 1.0.66\nMSRDC-Version: 1.2.6074\nDirect3D-Version: 1.611.1-81528511\nDXCore-Version: 10.0.26100.1-240331-1435.ge-release\nWindows-Version: 10.0.26100.4652',
  ],
  exists: [
    'Cannot create a file when that file already exists. ',
    'Eine Datei kann nicht erstellt werden, wenn sie bereits vorhanden ist. ',
  ],
  missingFile: [
    'The system cannot find the file specified. ',
    'Das System kann die angegebene Datei nicht finden. ',
  ],
  importFailed: ['Importing the distribution failed.', 'Fehler beim Importieren der Distribution.'],
  busy: ['Illegal state change. ', 'Ungültige Zustandsänderung. '],
  userMissing: ['User not found.', 'Der Benutzer wurde nicht gefunden.'],
  parameter: ['The parameter is incorrect. ', 'Falscher Parameter. '],
  errorCode: ['Error code: {0}', 'Fehlercode: {0}'],
} as const satisfies Record<string, readonly [string, string]>

export type MessageName = keyof typeof table

export function message(language: Language, name: MessageName, value = ''): string {
  return table[name][language === 'de' ? 1 : 0].replace('{0}', value)
}

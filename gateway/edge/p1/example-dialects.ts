import { hex } from './example.ts';

/**
 * More telegrams of our own, for what meters print that no specification of theirs says. Every value is made up;
 * the spelling is what was seen.
 */

/** Fluvius' first meters: units without their star, and a gas meter that was never read. */
export const EMUCS_50213 = [
  '/FLU5\\253700111_A',
  '',
  '0-0:96.1.4(50213)',
  `0-0:96.1.1(${hex('1SAG1100000517')})`,
  '0-0:1.0.0(191203081112W)',
  '1-0:1.8.1(000204.117kWh)',
  '1-0:1.8.2(000311.018kWh)',
  '1-0:2.8.1(000000.900kWh)',
  '1-0:2.8.2(000000.041kWh)',
  '0-0:96.14.0(0001)',
  '1-0:1.7.0(01.402kW)',
  '1-0:2.7.0(00.000kW)',
  '1-0:32.7.0(232.9V)',
  '1-0:31.7.0(006A)',
  '0-0:96.3.10(1)',
  '0-0:17.0.0(999.9kW)',
  '1-0:31.4.0(999A)',
  '0-0:96.13.0()',
  '0-1:24.1.0(003)',
  `0-1:96.1.1(${hex('7FLO2119000042')})`,
  '0-1:24.4.0(0)',
  '0-1:24.2.3(632525252525W)(00000.000)',
];

/** Lithuania: averages, apparent power by phase, how long and how high, and versions where the Dutch have theirs. */
export const LITHUANIA = [
  '/ESO5\\253810203_A',
  '',
  '0-0:1.0.0(260114070605W)',
  '1-0:1.8.0(004417.120*kWh)',
  '1-0:1.8.3(000000.000*kWh)',
  '1-0:1.8.4(000017.120*kWh)',
  '1-0:3.8.4(000003.009*kvarh)',
  '1-0:1.7.0(00.377*kW)',
  '1-0:32.7.0(238.4*V)',
  '1-0:32.24.0(239.1*V)',
  '1-0:31.7.0(002*A)',
  '1-0:12.7.0(238.9*V)',
  '1-0:29.7.0(00.401*kVA)',
  '1-0:16.24.0(01.068*kW)',
  '1-0:13.7.0(0.935)',
  '1-0:33.7.0(-0.912)',
  '1-0:13.3.0(0.000)',
  '1-0:0.8.2(00900*s)',
  '1-0:9.4.0(000000.352*kVA)',
  '1-0:32.33.0(00512*s)',
  '1-0:32.38.0(255*V)',
  '1-0:0.2.0(02.21)',
  '1-0:0.2.8(1EA40000)',
  `0-0:96.1.1(${hex('SAG1000000000777')})`,
];

/** An Iskra of Ireland: an STX in its first line, and an M-Bus device without a number. */
export const IRELAND = [
  '/ISk5\u0002MIE5T-900',
  '',
  '1-0:0.0.0(00000000)',
  '0-0:96.1.0(09611)',
  '0-0:1.0.0(240303121110W)',
  '1-0:1.8.1(000310.500*kWh)',
  '1-0:1.8.2(000120.250*kWh)',
  '1-0:1.7.0(00.260*kW)',
  '0-0:96.3.10(1)',
  '0-1:96.1.1()',
];

/** Sweden (Swedenergy's recommendation 2.0): totals only, no version, no serial; header with a blank. */
export const SWEDEN = [
  '/ADN9 7777',
  '',
  '0-0:1.0.0(250630235950S)',
  '1-0:1.8.0(00010101.010*kWh)',
  '1-0:2.8.0(00000333.030*kWh)',
  '1-0:3.8.0(00000021.988*kVArh)',
  '1-0:4.8.0(00001020.971*kVArh)',
  '1-0:1.7.0(0001.727*kW)',
  '1-0:2.7.0(0000.000*kW)',
  '1-0:23.7.0(0000.046*kVAr)',
  '1-0:64.7.0(0000.109*kVAr)',
  '1-0:52.7.0(229.9*V)',
  '1-0:71.7.0(000.9*A)',
];

/** Luxembourg's first meters: values without a unit. */
export const LUXEMBOURG_UNITLESS = [
  '/Lux5\\253600000_D',
  '',
  '1-3:0.2.8(42)',
  '0-0:1.0.0(180203112233W)',
  `0-0:42.0.0(${hex('SAG1030700000001')})`,
  '1-0:1.8.0(000106.695*kWh)',
  '1-0:2.8.0(000000)',
  '1-0:3.7.0(00.000)',
  '1-0:4.7.0(00.007)',
  '0-0:17.0.0(77.376)',
  '1-0:31.4.0(040)',
];

/** The ACE4000: no CRC, `*255` everywhere, and the gas meter's hours under a code of its own medium. */
export const ACE4000 = [
  '/ACE5ACE4KTEST',
  '',
  '0-0:96.1.0*255(5550001112223334)',
  '1-0:1.8.0*255(023456.074*kWh)',
  '1-0:1.8.1*255(023456.074*kWh)',
  '0-0:96.14.0*255(01)',
  '1-0:15.7.0*255(000321*W)',
  '0-0:17.0.0*255(0085*A)',
  '0-0:96.3.10*255(1)',
  '0-3:96.1.0*255(87654321         )',
  '7-0:23.1.0*255(02238.740*m3)(20-07-01 00:00:00)',
  '7-0:23.1.0*255(02240.690*m3)(20-07-01 13:00:00)',
  '7-0:23.1.0*255(02237.560*m3)(20-06-30 14:00:00)',
  '7-0:24.4.0*255(1)',
];

/** EBZ: eight decimals, a negative power, its number under A = 1. */
export const EBZ = [
  '/EBZ5DD32R99ETA_107',
  '',
  '1-0:0.0.0*255(1EBZ0100000001)',
  '1-0:96.1.0*255(1EBZ0100000001)',
  '1-0:1.8.0*255(002714.12830185*kWh)',
  '1-0:2.8.0*255(000001.20600000*kWh)',
  '1-0:16.7.0*255(-000211.26*W)',
  '1-0:36.7.0*255(000157.64*W)',
  '1-0:96.5.0*255(001C0104)',
  '0-0:96.8.0*255(02FAB8BF)',
];

/** An Iskra through its optical port (IEC 62056-21): STX in front of the data, no blank line. */
export const ISKRA_D0 = [
  '/ISk5MT174-0009',
  '\u00021-0:0.9.2*255(0260127)',
  '1-0:0.9.1*255(105644)',
  '1-0:1.8.0*255(0000611.853*kWh)',
  '1-0:2.8.0*255(0058697.318*kWh)',
];

/** A Landis+Gyr through its optical port: reduced codes, padded numbers, letters for abstract objects. */
export const LANDIS_D0 = [
  '/LGZ4ZMF100AC.M99',
  '\u0002F.F(00)',
  '0.0(          120858)',
  'C.1.0(13647999)',
  'C.1.1(        )',
  '1.8.1(042951.721*kWh)',
  '1.8.2(018609.568*kWh)',
  '2.8.0(   10.490*kWh)',
  'C.7.0(0008)',
  '32.7(241*V)',
  '31.7(000.35*A)',
  '0.2.0(M26)',
];

/** The document of DSMR 4.0 prints a colon for a dot in two of its lines; so do those who copied from it. */
export const DSMR_4_0_COLONS = [
  '/ISk5\\2MT382-9000',
  '',
  '1-3:0.2.8(40)',
  '0-0:1.0.0(111209113020W)',
  '1-0:1.8.1(023456.789*kWh)',
  '1-0:99:97.0(2)(0:96.7.19)(101208152415W)(0000000240*s)(101208151004W)(00000000301*s)',
  '1-0:72:32.0(00007)',
];

/** Hungary by Sanxing: a message of memory that was never written. */
export const HUNGARY_ERASED = [
  '/AUX59900000001',
  '',
  '0-0:1.0.0(240817171430S)',
  '0-0:42.0.0(AUX1030300000001)',
  '0-0:96.1.0(9900000001)',
  '1-0:1.8.0(000812.421*kWh)',
  '1-0:53.7.0(0.989)',
  `0-0:96.13.0(${'\u00ff'.repeat(1024)})`,
];

/** Slave meters of every kind: electricity, heat, cold and hot water, cooling. */
export const SLAVES = [
  '/XMX5LGTEST0000000001',
  '',
  '1-3:0.2.8(50)',
  '0-0:1.0.0(250909113020S)',
  '1-0:1.8.1(000001.000*kWh)',
  '0-1:24.1.0(002)',
  '0-1:96.1.0(5F5F5F5F454C45435F5F)',
  '0-1:24.2.1(250909112100S)(12785.111*kWh)',
  '0-2:24.1.0(006)',
  '0-2:24.2.1(250909112200S)(00785.222*m3)',
  '0-3:24.1.0(004)',
  '0-3:24.2.1(250909112300S)(12785.333*GJ)',
  '0-4:24.1.0(010)',
  '0-4:24.2.1(250909112400S)(12785.444*GJ)',
];

/** Slovenia by Iskra: the clock as the octets of its COSEM object, failures without a unit, a gas meter never read. */
export const SLOVENIA = [
  '/ISK5\\2M550T-7777',
  '',
  '1-3:0.2.8(50)',
  '0-0:1.0.0(07E8061C050A2B2B00FF8880)',
  `0-0:96.1.1(${hex('ISK0000000000777')})`,
  '1-0:1.8.0(000310.077*kWh)',
  '1-0:2.8.0(000020.018*kWh)',
  '0-0:96.14.0(0002)',
  '1-0:99.97.0(2)(0-0:96.7.19)(240102030405W)(0000000240)(240602030405S)(0000000301)',
  '0-1:24.1.0()',
  '0-1:24.2.1(0)',
];

/** Wallonia by Iskra: the version in hex, times without their letter, the value of the peak in front of its time. */
export const WALLONIA = [
  '/ISk5\\2MIE5T-777',
  '',
  '0-0:96.1.4(3231313130)',
  '0-0:96.1.0(77000777)',
  '0-0:1.0.0(260112101112)',
  '1-0:1.8.1(000019.854*kWh)',
  '1-0:1.8.5(000040.207*kWh)',
  '1-0:1.6.0(08.796*kW)(260102010000)',
  '1-0:31.7.0(004*A)',
  '0-1:96.1.1()',
];

/** Hungary by Holley: a `/` in the name, blanks behind the units, last month's end under the code of the clock. */
export const HOLLEY = [
  '/HLY5/D777-METER',
  '',
  '0-0:1.0.0(250117171430W)',
  '0-0:96.1.0(9900000777)',
  '1-0:1.8.0(000812.421*kWh )',
  '1-0:32.7.0(233.2*V )',
  '0-0:1.0.0(250101000000W)',
  '1-0:0.1.2(250101000000W)',
];

/** Fluvius: the fuse of both directions in one group. */
export const FUSE_OF_BOTH_DIRECTIONS = [
  '/FLU5\\253770777_A',
  '',
  '0-0:96.1.4(50221)',
  '0-0:1.0.0(250509113020S)',
  '1-0:1.8.1(000001.250*kWh)',
  '0-0:96.3.10(1)',
  '1-0:31.4.0(100.0*A,-100.0*A)',
];

/** An Iskra of the north: a clock, and no CRC. */
export const ISKRA_WITHOUT_CRC = [
  '/ISk9\\2MIE7C-777',
  '',
  '0-0:1.0.0(250405154953S)',
  '0-0:96.1.0(77000778)',
  '1-0:1.8.0(000036.396*kWh)',
  '1-0:2.8.0(000083.176*kWh)',
];

export const DIALECTS_WITH_CRC = {
  'e-MUCS 50213': EMUCS_50213,
  Lithuania: LITHUANIA,
  Ireland: IRELAND,
  Sweden: SWEDEN,
  'Luxembourg without units': LUXEMBOURG_UNITLESS,
  'DSMR 4.0 with colons': DSMR_4_0_COLONS,
  'Hungary with an erased message': HUNGARY_ERASED,
  'slave meters': SLAVES,
  Slovenia: SLOVENIA,
  Wallonia: WALLONIA,
  'Hungary by Holley': HOLLEY,
  'a fuse of both directions': FUSE_OF_BOTH_DIRECTIONS,
} as const;

export const DIALECTS_WITHOUT_CRC = {
  ACE4000,
  EBZ,
  'Iskra D0': ISKRA_D0,
  'Landis+Gyr D0': LANDIS_D0,
  'Iskra without a CRC': ISKRA_WITHOUT_CRC,
} as const;

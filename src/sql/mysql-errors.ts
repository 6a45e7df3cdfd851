import type { Failure } from '../core/index.ts'
import { lookup, words } from './errors.ts'

/** What a server of MySQL's protocol says, in its words, which may quote values. */
export interface MysqlErrorLike {
  readonly errno: number
  readonly message: string
}

/**
 * MySQL's numbers, and MariaDB's above 1900.
 * https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
 * https://mariadb.com/kb/en/mariadb-error-code-reference/
 */
const meaning = /* @__PURE__ */ lookup(() => ({
  conflict: {
    [words.duplicate]: [1022, 1062, 1169, 1586, 1859],
    [words.foreignKey]: [1216, 1217, 1451, 1452, 1557, 1761, 1762],
    [words.deadlock]: [1020, 1213, 3101],
    [words.exists]: [1007, 1050, 1060, 1061, 1304, 1359, 1396, 1826],
  },
  timeout: { [words.lock]: [1205, 1689, 3572], [words.time]: [1969, 3024] },
  invalid: {
    [words.check]: [3819, 4025],
    [words.notNull]: [1048, 1263, 1364],
    [words.syntax]: [
      1052, 1055, 1056, 1058, 1064, 1065, 1111, 1136, 1140, 1149, 1222, 1235, 1241, 1248, 1295,
      1337,
    ],
    [words.value]: [
      1264, 1265, 1292, 1365, 1366, 1367, 1406, 1411, 1416, 1425, 1426, 1441, 1690, 3105, 3140,
      3141, 3143, 3146, 3156, 4038,
    ],
    [words.parameters]: [1210, 1318, 1582, 1835],
    'a procedure or trigger of the database refused it': [1644],
    'the statement is larger than the server takes': [1153],
  },
  'not-found': {
    [words.noTable]: [1051, 1109, 1146, 1305, 1356, 1630],
    [words.noColumn]: [1054, 1072, 1091, 1176],
    [words.noDatabase]: [1008, 1046, 1049],
  },
  unauthenticated: {
    [words.login]: [1045, 1130, 1251, 1524, 1698, 1820, 1862, 3118, 3955, 4151],
  },
  forbidden: { [words.permission]: [1044, 1142, 1143, 1227, 1370, 1419, 3530, 3554] },
  unavailable: {
    [words.readOnly]: [1290, 1792, 1836],
    // 1047 is a node of a cluster that has not joined it yet.
    [words.stopping]: [
      1047, 1053, 1077, 1079, 1080, 1129, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 3032, 3168,
      3169, 4031,
    ],
  },
  throttled: {
    [words.overloaded]: [1021, 1037, 1038, 1040, 1041, 1114, 1135, 1203, 1206, 1226, 1461, 1637],
  },
  aborted: { [words.killed]: [1028, 1317] },
  unsupported: {
    'the server cannot do this': [1148, 1178, 1286, 1289, 1312, 1314, 1336, 1478, 3948, 4166],
  },
  internal: { [words.failed]: [1030, 1034, 1035, 1105, 1180, 1194, 1195, 1815] },
}))

/** A server's error in our words. The same for every transport, which is why it lives here. */
export function classifyMysql({ errno, message }: MysqlErrorLike): Failure {
  const failure = meaning(errno)
  if (errno === 1062 || errno === 1586) {
    // The name of the key stands behind the value: `Duplicate entry 'x' for key 'users.email'`.
    const key = /for key '([\w$.-]{1,129})'$/.exec(message)?.[1]
    if (key !== undefined) failure.detail = `${words.duplicate}: ${key}`
  }
  return failure
}

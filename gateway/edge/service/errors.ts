/** What `hes edge` refuses before anything runs, and what to do about it. Codes in ERR_CONFIG end with exit code 78. */
export const EDGE_SERVICE_ERRORS = {
  ERR_CONFIG_IDENTITY:
    'An identity that edge.yaml names cannot be used: missing, damaged, unreadable by this user, of a development PKI, of a device named twice, or without an owner that edge.yaml names. The message says which. Enrol the device (`hes edge enrol`), or correct edge.yaml.',
  ERR_CONFIG_SOURCE:
    'A file that a source of edge.yaml names (a key, a Modbus profile) cannot be used. The message names the source and says why.',
  ERR_EDGE_DATA:
    'The data folder of the edge cannot be made, entered or written by this user. Mend its rights, or choose another as `data`.',
  ERR_EDGE_IDENTITY:
    'The identity file of a device was replaced by that of another device while the edge runs. Nothing was written over it: start the edge again, or put the file back.',
  ERR_EDGE_RUNNING:
    'Another `hes edge run` uses this data folder: stop it first, or give this one a folder of its own.',
  ERR_EDGE_SOCKET:
    'The control socket cannot be made: the path of the data folder is too long for a socket, or what stands in its place is none.',
  ERR_EDGE_STATUS: 'What answers at the control socket is no edge, or one of another version.',
} as const;

export type EdgeServiceErrorCode = keyof typeof EDGE_SERVICE_ERRORS;

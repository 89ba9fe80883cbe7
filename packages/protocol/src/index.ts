/** The public surface of @waybill/protocol. */
export {}

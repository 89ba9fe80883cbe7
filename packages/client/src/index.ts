/** The public surface of @waybill/client. */
export {}

/** The files of spec/, read for tests. */
import { readdirSync, readFileSync } from 'node:fs'
import type { FrameNotation, RecordNotation } from '@waybill/protocol/testing'

const folder = new URL('../../../spec/', import.meta.url)

export function readSpec(path: string): string {
  return readFileSync(new URL(path, folder), 'utf8')
}

export function readSpecJson<T>(path: string): T {
  return JSON.parse(readSpec(path)) as T
}

export function specFiles(path: string): string[] {
  return readdirSync(new URL(path, folder)).sort()
}

export interface PrefaceVector {
  readonly name: string
  readonly hex: string
  readonly ended?: boolean
  readonly version?: { readonly major: number; readonly minor: number; readonly refused: boolean }
  readonly foreign?: string
  readonly needMore?: boolean
}

export interface RecordVector {
  readonly name: string
  readonly hex: string
  readonly record: RecordNotation
  readonly delivered?: boolean
  readonly oneWay?: string
}

export interface FrameVector {
  readonly name: string
  readonly from: 'client' | 'server'
  readonly hex: string
  readonly frame: FrameNotation & { readonly answers?: string }
  readonly oneWay?: string
}

export interface InvalidVector {
  readonly name: string
  readonly clause: string
  readonly from: 'client' | 'server'
  readonly hex: string
  readonly error: string
  readonly opening?: boolean
  readonly names?: string
}

export function readVectors<T>(file: string): readonly T[] {
  return readSpecJson<{ vectors: T[] }>(`vectors/${file}`).vectors
}
